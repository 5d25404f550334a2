export function CharactersPage() {
  return null;
}
