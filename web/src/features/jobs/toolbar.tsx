import { useNavigate } from "@tanstack/react-router";
import { ArrowDownWideNarrow, ArrowUpNarrowWide, Search } from "lucide-react";
import type { RefObject } from "react";
import { HomeRoute, type HomeSearch } from "@/app/routes";
import { IconButton } from "@/components/ui/button";
import { Input, Select } from "@/components/ui/field";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { FILTERS, SORTS, type Filter, type Sort } from "./select";

export function Toolbar({
  counts,
  searchBox,
}: {
  counts: Record<Filter, number>;
  searchBox: RefObject<HTMLInputElement | null>;
}) {
  const { q = "", status = "all", sort = "created", dir = "desc" } = HomeRoute.useSearch();
  const navigate = useNavigate();
  const change = (next: Partial<HomeSearch>) =>
    void navigate({ to: "/", search: (known) => ({ ...known, ...next }), replace: true });
  return (
    <div className="mb-3 flex flex-wrap items-center gap-x-2 gap-y-2 md:gap-x-4">
      <div className="relative md:w-72 max-md:min-w-0 max-md:flex-1">
        <Search
          className="pointer-events-none absolute top-1/2 left-2.5 size-4 -translate-y-1/2 text-ink-3"
          aria-hidden
        />
        <Input
          ref={searchBox}
          type="search"
          aria-label={S.jobs.search}
          placeholder={S.jobs.search}
          value={q}
          onChange={(event) => change({ q: event.target.value || undefined })}
          onKeyDown={(event) => {
            // Escape also empties the field, as browsers do; Enter keeps what was found for j and k.
            if (event.key === "Escape" || event.key === "Enter") event.currentTarget.blur();
          }}
          className="pl-8"
        />
      </div>
      <div
        role="group"
        aria-label={S.jobs.filter}
        className="-mx-1 flex max-w-full gap-1 overflow-x-auto px-1 [scrollbar-width:none] max-md:order-last max-md:w-full"
      >
        {FILTERS.map((filter) => (
          <button
            key={filter}
            type="button"
            aria-pressed={status === filter}
            onClick={() => change({ status: filter === "all" ? undefined : filter })}
            className={cn(
              "touch-target inline-flex h-7 shrink-0 items-center gap-1.5 rounded-full border border-transparent px-3 text-xs font-medium text-ink-2 hover:border-line hover:text-ink",
              status === filter && "border-edge bg-surface text-ink",
            )}
          >
            {filter === "all" ? S.jobs.all : filter === "active" ? S.jobs.active : S.status[filter]}
            <span className="text-ink-3">{counts[filter]}</span>
          </button>
        ))}
      </div>
      <div className="flex items-center gap-1 md:ml-auto lg:hidden">
        <label className="sr-only" htmlFor="sort">
          {S.jobs.sortBy}
        </label>
        <Select id="sort" value={sort} onChange={(event) => change({ sort: event.target.value as Sort })}>
          {SORTS.map((each) => (
            <option key={each} value={each}>
              {S.jobs.columns[each]}
            </option>
          ))}
        </Select>
        <IconButton
          label={dir === "asc" ? S.jobs.ascending : S.jobs.descending}
          onClick={() => change({ dir: dir === "asc" ? undefined : "asc" })}
        >
          {dir === "asc" ? <ArrowUpNarrowWide /> : <ArrowDownWideNarrow />}
        </IconButton>
      </div>
    </div>
  );
}
