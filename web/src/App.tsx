import { readAddress } from "./address.ts";
import type { Io } from "./live/connection.ts";
import { Boundary } from "./pages/Boundary.tsx";
import { NetworkPage } from "./pages/NetworkPage.tsx";
import { RegionPage } from "./pages/RegionPage.tsx";
import { UnknownPage } from "./pages/UnknownPage.tsx";
import { Page } from "./parts/page.ts";
import { Speech } from "./words/speech.ts";
import { type Lang, langOf } from "./words/table.ts";

interface Props {
  address: Pick<Location, "pathname" | "search">;
  io: Io;
}

export function App({ address, io }: Props) {
  const lang = langOf(address.search);
  return (
    <Boundary lang={lang}>
      <Route pathname={address.pathname} lang={lang} io={io} />
    </Boundary>
  );
}

function Route({ pathname, lang, io }: { pathname: string; lang: Lang; io: Io }) {
  const address = readAddress(pathname);
  if (address.page === "region") return <RegionPage code={address.code} lang={lang} io={io} />;
  if (address.page === "network") return <NetworkPage lang={lang} io={io} />;
  return (
    <Page.Provider value={{ speech: new Speech(lang, "Asia/Jakarta"), glows: () => false }}>
      <UnknownPage />
    </Page.Provider>
  );
}
