/** Puts together what the tab shows: an open job before the newest running one before the page's own name. */
import { showIcon, titleOf, type TabStatus } from "./tab-status";

let page = "";
let open: TabStatus | null = null;
let background: TabStatus | null = null;

function show(): void {
  const shown = open ?? background;
  const title = titleOf(shown, page);
  if (document.title !== title) document.title = title;
  showIcon(shown);
}

export function setPageTitle(title: string): void {
  page = title;
  show();
}

/** The job that is open; it goes before everything else. */
export function setOpenStatus(status: TabStatus | null): void {
  open = status;
  show();
}

/** The one running job, when nothing is open. */
export function setBackgroundStatus(status: TabStatus | null): void {
  background = status;
  show();
}
