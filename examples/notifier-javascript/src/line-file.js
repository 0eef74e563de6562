// A file of JSON lines that is its own bookmark: the last whole line says how far we have come.

import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const NEWLINE = 0x0a;

/**
 * Written by one process at a time. Output and position are one write, so they can't disagree. A line that a crash
 * cut short is removed on opening; its event was not acknowledged and comes again.
 */
export class LineFile {
  #file;
  #size;

  constructor(path) {
    this.#file = openSync(path, "a+");
    const content = readFileSync(path);
    const whole = content.lastIndexOf(NEWLINE) + 1;
    const last = content.subarray(content.subarray(0, Math.max(whole - 1, 0)).lastIndexOf(NEWLINE) + 1, whole);
    ftruncateSync(this.#file, whole);
    syncFolder(dirname(path));
    this.#size = whole;
    /** The sequence of the last event that is in the file; 0 when it is empty. */
    this.last = last.length > 0 ? JSON.parse(last.toString()).sequence : 0;
  }

  /** Add a line, on disk when this returns. After an error nothing of it is left in the file. */
  append(line) {
    const data = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      const written = writeSync(this.#file, data);
      if (written !== data.length) throw new Error(`only ${written} of ${data.length} bytes were written`);
      fsyncSync(this.#file);
    } catch (error) {
      ftruncateSync(this.#file, this.#size);
      throw error;
    }
    this.#size += data.length;
    this.last = line.sequence;
  }

  close() {
    closeSync(this.#file);
  }
}

/** A new file is only safe once its name is on disk as well. */
function syncFolder(folder) {
  const file = openSync(folder, "r");
  fsyncSync(file);
  closeSync(file);
}
