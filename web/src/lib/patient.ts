/** Loads a part of the page, and tries again where the server is away for a moment: a lost file must not break it. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;
const TRIES = 12;

export async function patiently<T>(load: () => Promise<T>, tries = TRIES): Promise<T> {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 2)) {
    tries -= 1;
    try {
      return await load();
    } catch (error) {
      if (tries <= 0) throw error;
      await new Promise((resume) => setTimeout(resume, pause));
    }
  }
}
