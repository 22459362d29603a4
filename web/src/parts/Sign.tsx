/** Signs that say by shape what colour says too. Drawn, so that no font can lack them. */

export type SignName = "live" | "silent" | "never" | "overdue" | "calm" | "success" | "stale";

const SHAPES: Record<SignName, preact.JSX.Element> = {
  live: <circle cx="12" cy="12" r="6" fill="currentColor" />,
  silent: (
    <circle
      cx="12"
      cy="12"
      r="8"
      fill="none"
      stroke="currentColor"
      stroke-width="3"
      stroke-dasharray="4.2 4.2"
    />
  ),
  never: (
    <g fill="none" stroke="currentColor" stroke-width="2.4">
      <circle cx="12" cy="12" r="6.5" />
      <path d="M6 18 18 6" />
    </g>
  ),
  overdue: <path d="M12 3.5 22 20.5H2Z" fill="currentColor" />,
  calm: (
    <path
      d="m5 12.5 5 5L19.5 7"
      fill="none"
      stroke="currentColor"
      stroke-width="2.6"
      stroke-linecap="round"
    />
  ),
  success: (
    <path
      d="m4.5 12.5 5 5L19.5 7"
      fill="none"
      stroke="currentColor"
      stroke-width="3.2"
      stroke-linecap="round"
    />
  ),
  stale: (
    <g fill="none" stroke="currentColor" stroke-width="2.8" stroke-linecap="round">
      <circle cx="12" cy="12" r="8.6" />
      <path d="M12 7.4v5.2l3.4 2" />
    </g>
  ),
};

export function Sign({ name }: { name: SignName }) {
  return (
    <svg class={`sign sign-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {SHAPES[name]}
    </svg>
  );
}
