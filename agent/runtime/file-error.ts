/** What went wrong with a file, in words that need no table of error codes. */
import { messageOf } from "./agent-error.ts";

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of the path is a file, not a directory",
  EEXIST: "a file is there, not a directory",
  EISDIR: "it is a directory",
  EACCES: "this user may not",
  EPERM: "this user may not",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of this user is used up",
  ELOOP: "its symbolic links lead in a circle",
  ENAMETOOLONG: "the name is too long",
  EMFILE: "this process has too many files open",
};

/** The code stands behind the words, for whoever searches for it; an error of another kind keeps its own message. */
export function fileErrorText(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const words = WORDS[code];
  return words === undefined ? messageOf(error) : `${words} (${code})`;
}

/** Whether an error is the system's answer to a call, say to open a file or a socket. */
export function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "code" in error;
}
