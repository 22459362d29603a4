import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { usePage } from "./page.ts";

/** Long enough to be noticed from the other end of the room. */
const GLOW_MS = 1600;

interface Props {
  /** The glow comes when this differs from what was drawn before. */
  value: string | number;
  children?: ComponentChildren;
  class?: string;
  testId?: string;
  /** Glows when it first appears too: a new line is a change of the list that it stands in. */
  isNew?: boolean;
}

/**
 * Shows a value that glows once when it changes.
 *
 * While changes keep coming the glow stays on instead of starting anew, so that a storm of
 * events makes a number bright and not a flicker.
 */
export function Changing({ value, children, class: name, testId, isNew = false }: Props) {
  const { glows } = usePage();
  const element = useRef<HTMLSpanElement>(null);
  const before = useRef<string | number | undefined>(isNew ? undefined : value);
  const settle = useRef<ReturnType<typeof setTimeout>>(undefined);

  useLayoutEffect(() => {
    if (Object.is(before.current, value)) return;
    before.current = value;
    if (!glows()) return;
    element.current?.setAttribute("data-changed", "");
    clearTimeout(settle.current);
    settle.current = setTimeout(() => element.current?.removeAttribute("data-changed"), GLOW_MS);
  });
  useLayoutEffect(() => () => clearTimeout(settle.current), []);

  return (
    <span ref={element} class={`changing ${name ?? ""}`} data-testid={testId}>
      {children ?? value}
    </span>
  );
}
