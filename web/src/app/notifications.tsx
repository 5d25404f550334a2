/** A browser notification when a training ends: only when asked for, only while the page is not looked at. */
import { Bell, BellOff } from "lucide-react";
import { useEffect } from "react";
import { useHub } from "@/api/live/react";
import { MenuItem } from "@/components/ui/menu";
import { notify, notifyError } from "@/components/ui/toast";
import { useJobName } from "@/features/jobs/names";
import { S } from "@/strings";
import { prefer, preferences, usePreferences } from "./preferences";

const supported = "Notification" in window;

async function turn(on: boolean): Promise<void> {
  if (!on) {
    prefer({ notifications: false });
    return;
  }
  const granted = (await Notification.requestPermission()) === "granted";
  prefer({ notifications: granted });
  if (!granted) notifyError(new Error(S.notifications.blocked));
}

export function NotificationsItem() {
  const { notifications } = usePreferences();
  if (!supported) return null;
  const Icon = notifications ? Bell : BellOff;
  return (
    <MenuItem role="menuitemcheckbox" aria-checked={notifications} onSelect={() => void turn(!notifications)}>
      <Icon aria-hidden className={notifications ? "!text-signal" : ""} /> {S.notifications.on}
    </MenuItem>
  );
}

export function useOutcomeNotifications(): void {
  const hub = useHub();
  const nameOf = useJobName();
  useEffect(
    () =>
      hub.onOutcome(({ after }) => {
        const { status } = after;
        if (status !== "completed" && status !== "failed" && status !== "cancelled") return;
        const text = S.notifications[status](nameOf(after));
        if (!document.hidden) notify(text);
        else if (supported && preferences().notifications && Notification.permission === "granted") {
          const shown = new Notification(text, { tag: after.id, icon: "/favicon.svg" });
          shown.onclick = () => window.focus();
        }
      }),
    [hub, nameOf],
  );
}
