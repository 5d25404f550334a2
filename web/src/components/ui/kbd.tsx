export function Kbd({ children }: { children: string }) {
  return (
    <kbd className="inline-grid h-5 min-w-5 place-items-center rounded-sm border border-b-2 bg-raised px-1 font-mono text-2xs text-ink-2">
      {children}
    </kbd>
  );
}
