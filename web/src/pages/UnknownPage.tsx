import { useSpeech } from "../parts/page.ts";
import { Plain } from "./Plain.tsx";

export function UnknownRegion({ code }: { code: string }) {
  const { words } = useSpeech();
  return (
    <Plain title={words.unknownRegion(code)} testId="unknown-region">
      <p>{words.unknownRegionNote}</p>
      <ToNetwork />
    </Plain>
  );
}

export function UnknownPage() {
  const { words } = useSpeech();
  return (
    <Plain title={words.unknownPage} testId="unknown-page">
      <p>{words.unknownPageNote}</p>
      <ToNetwork />
    </Plain>
  );
}

function ToNetwork() {
  const { words, lang } = useSpeech();
  return (
    <p>
      <a href={lang === "en" ? "/wall?lang=en" : "/wall"}>{words.toNetwork}</a>
    </p>
  );
}
