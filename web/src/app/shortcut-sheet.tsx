import { Checkbox } from "@/components/ui/field";
import { Dialog } from "@/components/ui/dialog";
import { Kbd } from "@/components/ui/kbd";
import { S } from "@/strings";
import { prefer, usePreferences } from "./preferences";
import { useRegisteredShortcuts, type Shortcut } from "./shortcuts";

const KEY_NAMES: Record<string, string> = {
  arrowleft: "←",
  arrowright: "→",
  arrowup: "↑",
  arrowdown: "↓",
  escape: "Esc",
  enter: "↵",
  " ": "Space",
};

/** The `?` sheet: every shortcut that works right now, by place. */
export function ShortcutSheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const shortcuts = useRegisteredShortcuts();
  const { singleKeys } = usePreferences();
  const groups = new Map<string, Shortcut[]>();
  for (const each of shortcuts) groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  return (
    <Dialog open={open} onClose={onClose} title={S.shortcuts.title} className="w-[min(92vw,40rem)]">
      <div className="columns-1 gap-8 sm:columns-2">
        {[...groups].map(([group, list]) => (
          <section key={group} className="mb-4 break-inside-avoid">
            <h3 className="label-caps mb-1.5">{S.shortcuts.groups[group] ?? group}</h3>
            <dl>
              {list.map((shortcut) => (
                <div key={shortcut.key} className="flex items-center justify-between gap-4 py-1">
                  <dt className="text-ink-2">{shortcut.label}</dt>
                  <dd>
                    <Kbd>{KEY_NAMES[shortcut.key] ?? shortcut.key}</Kbd>
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label className="mt-2 flex items-center gap-2.5 border-t pt-4">
        <Checkbox checked={singleKeys} onChange={(event) => prefer({ singleKeys: event.target.checked })} />
        {S.shortcuts.enable}
      </label>
    </Dialog>
  );
}
