import { Component, type ComponentChildren } from "preact";
import { type Lang, WORDS } from "../words/table.ts";
import { Plain } from "./Plain.tsx";

/** Long enough to be read, short enough that nobody need come. */
const RELOAD_MS = 20_000;

interface Props {
  lang: Lang;
  children: ComponentChildren;
}

/** A mistake of ours must not leave a blank wall: it is said, and the page starts anew. */
export class Boundary extends Component<Props, { broken: boolean }> {
  override state = { broken: false };

  override componentDidCatch(error: unknown): void {
    console.error(error);
    this.setState({ broken: true });
    setTimeout(() => location.reload(), RELOAD_MS);
  }

  render() {
    if (!this.state.broken) return this.props.children;
    const words = WORDS[this.props.lang];
    return (
      <Plain title={words.broken} testId="broken">
        <p>{words.brokenNote}</p>
      </Plain>
    );
  }
}
