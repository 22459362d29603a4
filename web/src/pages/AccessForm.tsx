import { useRef } from "preact/hooks";
import { useSpeech } from "../parts/page.ts";
import { Plain } from "./Plain.tsx";

interface Props {
  /** Why a key is asked for. */
  title: string;
  submit(key: string): void;
}

/** Asks once for the key of a screen that is not a demo's. */
export function AccessForm({ title, submit }: Props) {
  const { words } = useSpeech();
  const input = useRef<HTMLInputElement>(null);
  const send = (event: Event) => {
    event.preventDefault();
    const key = input.current?.value.trim() ?? "";
    if (key !== "") submit(key);
  };
  return (
    <Plain title={title} testId="access">
      <p>{words.keyNote}</p>
      <form onSubmit={send}>
        <label for="access-key">{words.keyLabel}</label>
        <input
          id="access-key"
          ref={input}
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          data-testid="access-key"
        />
        <button type="submit" data-testid="access-submit">
          {words.keySubmit}
        </button>
      </form>
    </Plain>
  );
}
