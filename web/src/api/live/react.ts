/** The live layer for components. */
import { createContext, use, useCallback, useMemo, useSyncExternalStore } from "react";
import { paced } from "@/lib/paced";
import type { Job } from "../types";
import type { LiveHub } from "./hub";

export const HubContext = createContext<LiveHub | null>(null);

export function useHub(): LiveHub {
  const hub = use(HubContext);
  if (!hub) throw new Error("the live hub is missing above this component");
  return hub;
}

/** A value of the hub, read again after each paint, or every `everyMs`; the component renders only when it changes. */
export function useLive<T extends string | number | boolean | object | null>(
  read: (hub: LiveHub) => T,
  everyMs = 0,
): T {
  const hub = useHub();
  const snapshot = useCallback(() => read(hub), [hub, read]);
  const subscribe = useMemo(
    () => (everyMs > 0 ? paced(hub.subscribe, everyMs) : hub.subscribe),
    [hub, everyMs],
  );
  return useSyncExternalStore(subscribe, snapshot);
}

/** A job as its stream has it this frame, for the few words and figures that follow every step. */
export function useLiveJob(known: Job): Job {
  const read = useCallback(
    (hub: LiveHub) => {
      const job = hub.open?.job;
      return job?.id === known.id && job.last_seq >= known.last_seq ? job : known;
    },
    [known],
  );
  return useLive(read);
}
