/** The addresses of a sample in small: the widths that the server makes, and which one suits how wide it is drawn. */

/** As in the API's `width`. */
const WIDTHS = [128, 256, 512] as const;
type Width = (typeof WIDTHS)[number];

/** What an image element needs to fetch a picture no larger than it is drawn. */
export interface Sources {
  src: string;
  srcSet: string;
  sizes: string;
}

/** For a sample at `url` that is drawn at most `drawn` CSS pixels across; dense screens choose a larger one. */
export function thumbnail(url: string, drawn: number): Sources {
  const at = (width: Width) => `${url}${url.includes("?") ? "&" : "?"}width=${width}`;
  return {
    src: at(WIDTHS.find((width) => width >= drawn) ?? 512),
    srcSet: WIDTHS.map((width) => `${at(width)} ${width}w`).join(", "),
    sizes: `${drawn}px`,
  };
}

/** Reads it ahead, the very one that an element with the same `drawn` asks for. */
export function preload(url: string, drawn: number): void {
  const image = new Image();
  const { src, srcSet, sizes } = thumbnail(url, drawn);
  image.sizes = sizes;
  image.srcset = srcSet;
  image.src = src;
}
