/** Uploads with progress, which `fetch` cannot tell: the one place that uses XMLHttpRequest. */
import { ApiError, CORRELATION_HEADER, nextCorrelationId } from "./client";
import type { UploadResult } from "./types";

/** Files of one request; small enough that a lost connection costs little. */
const FILES_AT_ONCE = 16;
const BYTES_AT_ONCE = 64 * 1024 * 1024;

export interface UploadProgress {
  sent: number;
  total: number;
}

/** Sends `files` in batches and puts the answers together. Stops at the first batch that the server refuses. */
export async function uploadImages(
  characterId: string,
  files: readonly File[],
  onProgress: (progress: UploadProgress) => void,
): Promise<UploadResult> {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const result: UploadResult = { uploaded: [], rejected: [], total_images: 0 };
  let done = 0;
  for (const batch of batches(files)) {
    const size = batch.reduce((sum, file) => sum + file.size, 0);
    const answer = await send(characterId, batch, (share) =>
      onProgress({ sent: done + share * size, total }),
    );
    done += size;
    result.uploaded.push(...answer.uploaded);
    result.rejected.push(...answer.rejected);
    result.total_images = answer.total_images;
  }
  return result;
}

/** An archive goes alone; images go together up to a size and a number. */
export function batches(files: readonly File[]): File[][] {
  const found: File[][] = [];
  let batch: File[] = [];
  let size = 0;
  for (const file of files) {
    const alone = /\.zip$/i.test(file.name);
    if (alone) {
      found.push([file]);
      continue;
    }
    if (batch.length === FILES_AT_ONCE || (batch.length > 0 && size + file.size > BYTES_AT_ONCE)) {
      found.push(batch);
      batch = [];
      size = 0;
    }
    batch.push(file);
    size += file.size;
  }
  return batch.length > 0 ? [...found, batch] : found;
}

function send(
  characterId: string,
  files: readonly File[],
  onShare: (share: number) => void,
): Promise<UploadResult> {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  const id = nextCorrelationId();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/characters/${encodeURIComponent(characterId)}/images`);
    request.setRequestHeader(CORRELATION_HEADER, id);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onShare(event.loaded / event.total);
    request.onerror = () => reject(new ApiError("The server cannot be reached.", 0, id));
    request.onload = () => {
      if (request.status === 201) resolve(request.response as UploadResult);
      else
        reject(
          new ApiError(
            detailOf(request),
            request.status,
            request.getResponseHeader(CORRELATION_HEADER) ?? id,
          ),
        );
    };
    request.send(form);
  });
}

function detailOf(request: XMLHttpRequest): string {
  const answer = request.response as { detail?: unknown } | null;
  return typeof answer?.detail === "string" ? answer.detail : `The server answered ${request.status}`;
}
