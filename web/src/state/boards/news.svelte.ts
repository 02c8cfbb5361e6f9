/** What the rail says of the boards: whether there are any here, and how much is new. Small: it is loaded with the page. */

class News {
  /** Whether the box has boards; true until it says otherwise. */
  on = $state(true);
  /** Threads with something unread, once the boards were looked at. */
  unread = $state(0);

  /** Nobody is signed in any more. */
  forget(): void {
    this.unread = 0;
  }
}

export const news = new News();
