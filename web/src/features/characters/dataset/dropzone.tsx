/** Where images come in: dropped, chosen or pasted. Shows how far it is and what was not taken, with reasons. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ImagePlus } from "lucide-react";
import { useEffect, useRef, useState, type DragEvent } from "react";
import { uploadImages, type UploadProgress } from "@/api/upload";
import { cn } from "@/lib/cn";
import { percent } from "@/lib/format";
import { S } from "@/strings";
import { filesOf } from "./dropped";

const ACCEPT = "image/*,.zip,.heic,.avif";

export function Dropzone({ characterId }: { characterId: string }) {
  const client = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [progress, setProgress] = useState<UploadProgress | null>(null);
  const upload = useMutation({
    mutationFn: (files: readonly File[]) => uploadImages(characterId, files, setProgress),
    onSettled: () => {
      setProgress(null);
      return client.invalidateQueries({ queryKey: ["characters"] });
    },
  });
  const { mutate } = upload;
  const take = (files: readonly File[]) => {
    if (files.length > 0 && !upload.isPending) mutate(files);
  };
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const files = Array.from(event.clipboardData?.files ?? []);
      if (files.length > 0) mutate(files);
    };
    window.addEventListener("paste", paste);
    return () => window.removeEventListener("paste", paste);
  }, [mutate]);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void filesOf(event.dataTransfer).then(take);
  };
  const share = progress && progress.total > 0 ? progress.sent / progress.total : 0;
  return (
    <div>
      <label
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        className={cn(
          "flex cursor-pointer flex-col items-center gap-1 rounded-lg border-2 border-dashed border-edge px-4 py-7 text-center hover:border-signal has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-signal",
          over && "border-signal bg-signal-soft",
        )}
      >
        <input
          ref={input}
          type="file"
          multiple
          accept={ACCEPT}
          className="sr-only"
          disabled={upload.isPending}
          onChange={(event) => {
            take(Array.from(event.target.files ?? []));
            event.target.value = "";
          }}
        />
        <ImagePlus className="size-6 text-ink-3" aria-hidden />
        {upload.isPending ? (
          <span role="status" className="w-full max-w-64">
            {share < 1 ? S.dataset.uploading(percent(share * 100)) : S.dataset.checkingFiles}
            <progress
              aria-label={S.dataset.checkingFiles}
              value={share}
              max={1}
              className="mt-1 h-1.5 w-full accent-[var(--signal)]"
            />
          </span>
        ) : (
          <>
            <span>
              <span className="font-medium">{S.dataset.drop}</span> {S.dataset.or}{" "}
              <span className="text-signal underline underline-offset-2">{S.dataset.browse}</span>
            </span>
            <span className="text-xs text-ink-3">{S.dataset.formats}</span>
          </>
        )}
      </label>
      {upload.data && (
        <div role="status" className="mt-2 text-sm">
          {upload.data.uploaded.length > 0 && (
            <p className="text-ok">{S.dataset.taken(upload.data.uploaded.length)}</p>
          )}
          {upload.data.rejected.length > 0 && (
            <>
              <p className="text-bad">{S.dataset.rejected(upload.data.rejected.length)}</p>
              <ul className="mt-1 max-h-40 overflow-auto text-xs" data-rejected>
                {upload.data.rejected.map((file, index) => (
                  <li key={`${file.filename}:${index}`}>
                    <span className="font-mono">{file.filename}</span>
                    <span className="text-ink-2"> – {file.reason}</span>
                  </li>
                ))}
              </ul>
            </>
          )}
        </div>
      )}
    </div>
  );
}
