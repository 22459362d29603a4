import { Changing } from "./Changing.tsx";
import { useSpeech } from "./page.ts";

interface Props {
  n: number;
  class?: string;
  testId?: string;
}

/** A number in the page's spelling, which glows when it changes. */
export function Count({ n, class: name, testId }: Props) {
  return (
    <Changing value={n} {...(name && { class: name })} {...(testId && { testId })}>
      {useSpeech().number(n)}
    </Changing>
  );
}
