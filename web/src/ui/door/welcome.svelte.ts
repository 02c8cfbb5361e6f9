/** What a new account still has to do before the shell is shown. */

class Welcome {
  /** Backup codes are to be made and kept. */
  codes = $state(false);
}

export const welcome = new Welcome();
