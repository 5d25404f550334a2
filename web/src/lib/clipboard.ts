/** Puts text on the clipboard, also where the page is not served securely (plain HTTP in a home network). */
export async function copyText(text: string): Promise<boolean> {
  if (window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused by a permission; the older way below may still work.
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "fixed opacity-0";
  const host = document.activeElement?.closest("[role=dialog]") ?? document.body;
  host.append(area);
  area.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way without a secure context
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
