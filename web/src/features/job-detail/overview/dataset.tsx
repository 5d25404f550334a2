import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { imagesQuery } from "@/api/queries";
import { S } from "@/strings";
import { Picture } from "@/components/ui/picture";

const MOST = 12;

export function Dataset({ characterId }: { characterId: string }) {
  const { data } = useQuery(imagesQuery(characterId));
  if (!data) return null;
  if (data.images.length === 0) return <p className="text-ink-3">{S.overview.noImages}</p>;
  return (
    <>
      <ul className="grid grid-cols-6 gap-1 sm:grid-cols-4 xl:grid-cols-6">
        {data.images.slice(0, MOST).map((image) => (
          <li key={image.filename}>
            <Picture
              src={image.url}
              alt={image.caption ?? image.filename}
              title={image.caption ?? image.filename}
              width={image.width}
              height={image.height}
              loading="lazy"
              decoding="async"
              className="aspect-square w-full rounded-sm bg-sunken object-cover"
            />
          </li>
        ))}
      </ul>
      <p className="mt-2 text-xs">
        <Link
          to="/characters/$characterId"
          params={{ characterId }}
          className="text-signal underline-offset-2 hover:underline"
        >
          {S.overview.images(data.total)}
        </Link>
      </p>
    </>
  );
}
