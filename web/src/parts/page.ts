/** What every part of a page may need: the feed, the words, and the wish for a glow. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { Speech } from "../words/speech.ts";

export interface PageTools {
  readonly speech: Speech;
  /** Whether what is drawn now came as a change; a picture that came whole does not glow. */
  glows(): boolean;
}

export const Page = createContext<PageTools>({
  speech: new Speech("id", "Asia/Jakarta"),
  glows: () => false,
});

export const usePage = (): PageTools => useContext(Page);
export const useSpeech = (): Speech => useContext(Page).speech;
