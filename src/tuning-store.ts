/** Where choices that were measured are kept from one run to the next. */
export interface TuningStore {
  /**
   * The text written under a name of letters, digits and hyphens; undefined where there is none. What
   * it holds is not trusted.
   */
  read(name: string): Promise<string | undefined>;
  /** Replaces it at once: a reader sees the old text or the new one. */
  write(name: string, text: string): Promise<void>;
}
