export function CharacterPage() {
  return null;
}
