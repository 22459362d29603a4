import { render } from "preact";
import { App } from "./App.tsx";
import { browserIo } from "./live/browser.ts";
import { langOf } from "./words/table.ts";
import "./styles/index.css";

const root = document.getElementById("wall");
if (root === null) throw new Error("the page has no element to draw the wall in");
document.documentElement.lang = langOf(location.search);
if (new URLSearchParams(location.search).get("theme") === "light") {
  document.documentElement.dataset.theme = "light";
}
render(<App address={location} io={browserIo} />, root);
