export type FileChange =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: "resize"; readonly size: number };

/** A file's bytes; what lies between them and was never written is zeros. */
export class FileImage {
  private bytes = Buffer.alloc(0);
  private length = 0;

  get size(): number {
    return this.length;
  }

  apply(change: FileChange): void {
    if (change.kind === "write") this.write(change.offset, change.bytes);
    else this.resize(change.size);
  }

  write(offset: number, bytes: Buffer): void {
    this.resize(Math.max(this.length, offset + bytes.length));
    this.bytes.set(bytes, offset);
  }

  resize(size: number): void {
    if (size > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(size, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    // What is cut off must not come back when the file grows again.
    if (size < this.length) this.bytes.fill(0, size, this.length);
    this.length = size;
  }

  copy(): FileImage {
    const image = new FileImage();
    image.write(0, this.bytes.subarray(0, this.length));
    return image;
  }

  /** A view, good until the next change. */
  content(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}
