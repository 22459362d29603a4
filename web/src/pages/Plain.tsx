import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  testId: string;
  children?: ComponentChildren;
}

/** A page that says one thing: why there is no wall here. */
export function Plain({ title, testId, children }: Props) {
  return (
    <main class="plain" data-testid={testId}>
      <div class="plain-box">
        <p class="plain-brand">Kentongan</p>
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}
