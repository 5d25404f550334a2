"""The part of the trainer that needs torch. Imported only inside the trainer's own process, never by API or worker."""
