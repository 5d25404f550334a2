import { QueryClientProvider } from "@tanstack/react-query";
import { useEffect, type ReactNode } from "react";
import { LiveHub } from "@/api/live/hub";
import { HubContext } from "@/api/live/react";
import { ConfirmProvider } from "@/components/ui/confirm";
import { queries } from "./query-client";

const hub = new LiveHub(queries);

export function Providers({ children }: { children: ReactNode }) {
  useEffect(() => hub.start(), []);
  return (
    <QueryClientProvider client={queries}>
      <HubContext value={hub}>
        <ConfirmProvider>{children}</ConfirmProvider>
      </HubContext>
    </QueryClientProvider>
  );
}
