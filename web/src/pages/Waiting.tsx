import type { Link } from "../live/connection.ts";
import { useSpeech } from "../parts/page.ts";
import { Plain } from "./Plain.tsx";

/** Before the first picture there is nothing to show but why, and that it goes on by itself. */
export function Waiting({ title, link }: { title: string; link: Link }) {
  const { words } = useSpeech();
  const { fault, refusal, code } = link;
  return (
    <Plain title={title} testId="waiting">
      <p data-testid="waiting-reason" data-reason={fault}>
        {refusal !== undefined && words.refused[refusal]}
        {refusal === undefined && fault === undefined && words.connecting}
        {refusal === undefined && fault === "network" && words.waitingNetwork}
        {refusal === undefined && fault === "server" && words.waitingServer}
        {code !== undefined && ` (${words.code(String(code))})`}
      </p>
      <p class="plain-note">{refusal === undefined ? words.connectingNote : words.recoversNot}</p>
    </Plain>
  );
}
