/** The live layer for components. */
import { createContext, use, useCallback, useSyncExternalStore } from "react";
import type { LiveHub } from "./hub";

export const HubContext = createContext<LiveHub | null>(null);

export function useHub(): LiveHub {
  const hub = use(HubContext);
  if (!hub) throw new Error("the live hub is missing above this component");
  return hub;
}

/** A value of the hub, read again after each paint; the component renders only when it changes. */
export function useLive<T extends string | number | boolean | object | null>(read: (hub: LiveHub) => T): T {
  const hub = useHub();
  const snapshot = useCallback(() => read(hub), [hub, read]);
  return useSyncExternalStore(hub.subscribe, snapshot);
}
