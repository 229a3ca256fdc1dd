/** What the uploader may be told while it runs; the configuration's `[upload]`. */
export interface UploadSettings {
  readonly batchBytes: number;
  readonly batchEvents: number;
  readonly lingerMs: number;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}
