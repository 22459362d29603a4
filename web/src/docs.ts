/** The page of the API's documents: Swagger UI, which came before as a script of its own. */

type Drawn = { readonly type: string };
type Component = (props: { source?: unknown; className?: string }) => Drawn | null;

interface System {
  React: {
    createElement(type: string, props: { className?: string }, ...children: unknown[]): Drawn;
  };
}

declare const SwaggerUIBundle: (options: Record<string, unknown>) => void;

/**
 * Shows descriptions as the text that they are.
 *
 * Swagger UI makes markup of them and hands it to the page as a string, which the page's policy
 * (Trusted Types) refuses. Ours have paragraphs and `code`, nothing more.
 */
function plainDescriptions({ React: { createElement } }: System) {
  const words = (text: string) =>
    text.split("`").map((part, i) => (i % 2 === 0 ? part : createElement("code", {}, part)));
  const Plain: Component = ({ source, className }) => {
    if (typeof source !== "string" || source === "") return null;
    const paragraphs = source
      .split(/\n{2,}/)
      .map((paragraph) => createElement("p", {}, ...words(paragraph)));
    return createElement("div", { className: className || "renderedMarkdown" }, ...paragraphs);
  };
  return { wrapComponents: { Markdown: () => Plain } };
}

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  layout: "BaseLayout",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  // Else it would have a server of its makers read our document.
  validatorUrl: null,
  plugins: [plainDescriptions],
});
