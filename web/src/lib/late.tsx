/** A part of the page that is loaded when it is first shown, or before by `preload`.

    Not React's `lazy`: React holds back what a Suspense boundary reveals for 300 ms after the last one, which is most
    of what opening a chart takes. */
import { useEffect, useState, type ComponentType, type ReactNode } from "react";
import { patiently } from "./patient";

interface Late<P> extends React.FC<P> {
  preload: () => void;
}

export function late<P extends object>(
  load: () => Promise<ComponentType<P>>,
  fallback: ReactNode = null,
): Late<P> {
  let loaded: ComponentType<P> | null = null;
  let loading: Promise<void> | null = null;
  const start = () =>
    (loading ??= patiently(load).then(
      (part) => {
        loaded = part;
      },
      (error: unknown) => {
        loading = null;
        throw error;
      },
    ));
  const Shown: Late<P> = (props) => {
    const [failure, setFailure] = useState<unknown>(null);
    const [, setReady] = useState(loaded !== null);
    useEffect(() => {
      if (!loaded) start().then(() => setReady(true), setFailure);
    }, []);
    if (failure) throw failure as Error;
    const Part = loaded;
    return Part ? <Part {...props} /> : fallback;
  };
  Shown.preload = () => void start().catch(() => undefined); // whoever shows it tells of the failure
  return Shown;
}
