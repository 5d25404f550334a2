export function JobDialog() {
  return null;
}
