import { signal, useComputed } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Io } from "../live/connection.ts";
import { Feed } from "../live/feed.ts";
import type { RegionState } from "../live/messages.ts";
import { type RegionEntry, readRegion } from "../live/register.ts";
import { RegionWall } from "../region/RegionWall.tsx";
import type { Lang } from "../words/table.ts";
import { visible } from "../words/visible.ts";
import { Live } from "./Live.tsx";

/** The host's zone, for the moments before a region's own is known. */
const FIRST_ZONE = "Asia/Jakarta";
const NO_AREAS = {};

interface Props {
  code: string;
  lang: Lang;
  io: Io;
}

export function RegionPage({ code, lang, io }: Props) {
  const feed = useMemo(() => new Feed<RegionState>(`region:${code}`, io), [code, io]);
  const register = useMemo(() => new RegisterReader(code, io), [code, io]);
  useEffect(() => register.start(), [register]);

  const head = useComputed(() => feed.picture.value?.state.region);
  const zone = useComputed(
    () => head.value?.timezone ?? register.entry.value?.timezone ?? FIRST_ZONE,
  );
  const title = useComputed(() => visible(head.value?.name ?? register.entry.value?.name ?? code));
  const areas = useComputed(() => register.entry.value?.areas ?? NO_AREAS);
  const unknown = useComputed(() => {
    const declined = feed.problem.value?.status === 404;
    return register.unknown.value || declined ? code : undefined;
  });
  return (
    <Live
      feed={feed}
      lang={lang}
      zone={zone}
      title={title}
      unknown={unknown}
      wall={(state) => <RegionWall feed={feed} state={state} areas={areas} />}
    />
  );
}

/** Asks until it is answered, and then now and then, since a decree can rename a kecamatan. */
class RegisterReader {
  static readonly #AGAIN_MS = { unreachable: 3_000, unknown: 30_000, known: 3_600_000 };
  readonly entry = signal<RegionEntry | undefined>(undefined);
  readonly unknown = signal(false);
  readonly #code: string;
  readonly #io: Io;
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(code: string, io: Io) {
    this.#code = code;
    this.#io = io;
  }

  start(): () => void {
    this.#stopped = false;
    void this.#read();
    return () => {
      this.#stopped = true;
      this.#cancel();
    };
  }

  async #read(): Promise<void> {
    const answer = await readRegion(this.#code);
    if (this.#stopped) return;
    if (answer !== "unreachable") {
      this.unknown.value = answer === "unknown";
      if (answer !== "unknown") this.entry.value = answer;
    }
    const again = typeof answer === "string" ? answer : "known";
    this.#cancel = this.#io.later(RegisterReader.#AGAIN_MS[again], () => void this.#read());
  }
}
