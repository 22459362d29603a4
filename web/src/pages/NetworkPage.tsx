import { signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Io } from "../live/connection.ts";
import { Feed } from "../live/feed.ts";
import type { NetworkState } from "../live/messages.ts";
import { NetworkWall } from "../network/NetworkWall.tsx";
import { type Lang, WORDS } from "../words/table.ts";
import { Live } from "./Live.tsx";

/** The network lies in three zones; its wall shows the host's (DOMAIN section 1). */
const ZONE = "Asia/Jakarta";

export function NetworkPage({ lang, io }: { lang: Lang; io: Io }) {
  const feed = useMemo(() => new Feed<NetworkState>("network", io), [io]);
  const zone = useMemo(() => signal(ZONE), []);
  const title = useMemo(() => signal(WORDS[lang].network), [lang]);
  return (
    <Live
      feed={feed}
      lang={lang}
      zone={zone}
      title={title}
      wall={(state) => <NetworkWall feed={feed} state={state} />}
    />
  );
}
