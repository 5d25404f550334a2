/** The frame around every page: the rail (a bar on a phone), the shortcuts, messages, the state of the connection. */
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import {
  Columns3,
  Keyboard,
  LayoutList,
  LogOut,
  Moon,
  Plus,
  Settings2,
  Sun,
  SunMoon,
  UserRound,
} from "lucide-react";
import { useEffect, useState } from "react";
import { Menu, MenuItem, MenuSeparator } from "@/components/ui/menu";
import { Toaster } from "@/components/ui/toast";
import { S } from "@/strings";
import { actor, isLoggedIn, isShared, mayChange, placeFor } from "./actor";
import { SharedOnlyPage } from "./fallbacks";
import { LinkStateMark } from "./link-state";
import { NotificationsItem, useOutcomeNotifications } from "./notifications";
import { ShortcutSheet } from "./shortcut-sheet";
import { handleKey, useShortcuts } from "./shortcuts";
import { useBackgroundStatus } from "./background-status";
import { chooseTheme, useShownTheme, useThemeChoice, type ThemeChoice } from "./theme";

const PLACES = [
  { to: "/", label: S.nav.jobs, icon: LayoutList, key: "h", say: S.shortcuts.toJobs },
  { to: "/new", label: S.nav.create, icon: Plus, key: "n", say: S.shortcuts.newTraining },
  { to: "/characters", label: S.nav.characters, icon: UserRound, key: "c", say: S.shortcuts.toCharacters },
  { to: "/compare", label: S.nav.compare, icon: Columns3, key: "v", say: S.shortcuts.toCompare },
] as const;
const SHOWN = PLACES.filter(({ to }) => !isShared && (mayChange || to !== "/new"));

export function Shell() {
  const [sheet, setSheet] = useState(false);
  const navigate = useNavigate();
  const place = useLocation({ select: ({ pathname }) => placeFor(actor, pathname) });
  const shown = useShownTheme();
  useOutcomeNotifications();
  useBackgroundStatus();
  useEffect(() => {
    window.addEventListener("keydown", handleKey);
    return () => window.removeEventListener("keydown", handleKey);
  }, []);
  useShortcuts("page", [
    { key: "?", label: S.shortcuts.help, run: () => setSheet(true) },
    ...SHOWN.map(({ to, key, say }) => ({ key, label: say, run: () => void navigate({ to }) })),
    { key: "t", label: S.shortcuts.theme, run: () => chooseTheme(shown === "dark" ? "light" : "dark") },
  ]);
  return (
    <div className="min-h-dvh md:pl-18">
      <a
        href="#main"
        className="fixed top-2 left-2 z-60 -translate-y-20 rounded-md bg-signal px-3 py-2 text-on-signal focus:translate-y-0"
      >
        {S.skip}
      </a>
      <Rail onHelp={() => setSheet(true)} />
      <main
        id="main"
        tabIndex={-1}
        className="mx-auto max-w-[110rem] px-4 pt-4 pb-24 focus:outline-none md:px-6 md:pt-5 md:pb-10"
      >
        {place === "elsewhere" ? <SharedOnlyPage /> : <Outlet />}
      </main>
      <ShortcutSheet open={sheet} onClose={() => setSheet(false)} />
      <Toaster />
    </div>
  );
}

function Rail({ onHelp }: { onHelp: () => void }) {
  return (
    <header className="fixed z-30 flex border-line bg-surface max-md:inset-x-0 max-md:bottom-0 max-md:border-t max-md:pb-[env(safe-area-inset-bottom)] md:inset-y-0 md:left-0 md:w-18 md:flex-col md:items-center md:border-r md:py-3">
      <Link to="/" aria-label={S.product} className="mb-4 text-signal max-md:hidden">
        <Mark />
      </Link>
      <nav
        aria-label={S.nav.label}
        className="flex flex-1 justify-around md:w-full md:flex-none md:flex-col md:gap-1"
      >
        {SHOWN.map(({ to, label, icon: Icon }) => (
          <Link
            key={to}
            to={to}
            activeOptions={{ exact: false, includeSearch: false }}
            className="relative flex min-h-13 flex-1 flex-col items-center justify-center gap-1 text-2xs text-ink-2 hover:text-ink md:flex-none"
            activeProps={{
              className:
                "!text-signal before:absolute before:bg-signal max-md:before:inset-x-6 max-md:before:top-0 max-md:before:h-0.5 md:before:inset-y-2 md:before:left-0 md:before:w-0.5",
            }}
          >
            <Icon className="size-5" aria-hidden />
            {label}
          </Link>
        ))}
      </nav>
      <div className="flex items-center justify-center gap-1 max-md:pr-1 md:mt-auto md:w-full md:flex-col md:gap-2">
        <LinkStateMark
          compact
          className="data-[link=live]:max-md:hidden max-md:absolute max-md:-top-7 max-md:right-3 max-md:rounded-full max-md:bg-surface max-md:px-2 max-md:py-1 md:flex-col"
        />
        <SettingsMenu onHelp={onHelp} />
      </div>
    </header>
  );
}

async function logOut(): Promise<void> {
  await fetch("/logout", { method: "POST", redirect: "manual" });
  window.location.assign("/login");
}

const THEME_ICONS: Record<ThemeChoice, typeof Sun> = { system: SunMoon, light: Sun, dark: Moon };

function SettingsMenu({ onHelp }: { onHelp: () => void }) {
  const choice = useThemeChoice();
  return (
    <Menu
      align="end"
      trigger={
        <button
          type="button"
          aria-label={S.nav.settings}
          title={S.nav.settings}
          className="grid size-11 place-items-center rounded-md text-ink-2 hover:bg-raised hover:text-ink"
        >
          <Settings2 className="size-5" aria-hidden />
        </button>
      }
    >
      {(Object.keys(THEME_ICONS) as ThemeChoice[]).map((each) => {
        const Icon = THEME_ICONS[each];
        return (
          <MenuItem key={each} onSelect={() => chooseTheme(each)} aria-current={choice === each}>
            <Icon aria-hidden className={choice === each ? "!text-signal" : ""} /> {S.nav.themes[each]}
          </MenuItem>
        );
      })}
      <MenuSeparator />
      <NotificationsItem />
      <MenuItem onSelect={onHelp}>
        <Keyboard aria-hidden /> {S.nav.shortcuts}
      </MenuItem>
      {isLoggedIn && (
        <MenuItem onSelect={() => void logOut()}>
          <LogOut aria-hidden /> {S.nav.logOut(actor.name)}
        </MenuItem>
      )}
    </Menu>
  );
}

/** The tower. */
function Mark() {
  return (
    <svg
      viewBox="0 0 32 32"
      className="size-8"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinejoin="round"
      aria-hidden
    >
      <path d="M11 28V12L9 6l4 3 3-6 3 6 4-3-2 6v16z" />
      <path d="M16 15v8" strokeLinecap="round" />
    </svg>
  );
}
