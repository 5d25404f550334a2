/* The least a server can do: one loop that follows a journal and writes each new line to every client.

   sse_loop LISTENING-FD JOURNAL     built and started by bench/fanout.py

   Knows no HTTP beyond an answer's head, drops whoever cannot take a frame at once, and never ends by itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 65536, PIECE = 1 << 20 };

static const char ANSWER[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nid: 2\nevent: snapshot\ndata: {}\n\n";
static int clients[MOST], count;

static void drop(int at) {
  close(clients[at]);
  clients[at] = clients[--count];
}

/* Sends the whole lines in `text` as frames; returns how many bytes were whole lines. */
static size_t spread(const char *text, size_t length, char *frames) {
  size_t done = 0, size = 0;
  for (const char *end; (end = memchr(text + done, '\n', length - done)) != NULL; done = end - text + 1) {
    long seq = strtol(text + done + strlen("{\"seq\":"), NULL, 10);
    size += sprintf(frames + size, "id: %ld\nevent: progress\ndata: ", seq);
    memcpy(frames + size, text + done, end - text - done);
    size += end - text - done;
    memcpy(frames + size, "\n\n", 2);
    size += 2;
  }
  for (int at = count - 1; size && at >= 0; at--)
    if (send(clients[at], frames, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size) drop(at);
  return done;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  static char text[PIECE], frames[2 * PIECE], events[4096];
  int listener = atoi(argv[1]), journal = open(argv[2], O_RDONLY);
  off_t place = lseek(journal, 0, SEEK_END);
  int changes = inotify_init1(IN_NONBLOCK), all = epoll_create1(0);
  inotify_add_watch(changes, argv[2], IN_MODIFY);
  struct epoll_event one = {.events = EPOLLIN, .data.fd = listener}, other = {.events = EPOLLIN, .data.fd = changes};
  epoll_ctl(all, EPOLL_CTL_ADD, listener, &one);
  epoll_ctl(all, EPOLL_CTL_ADD, changes, &other);
  for (struct epoll_event ready;;) {
    if (epoll_wait(all, &ready, 1, -1) < 1) continue;
    if (ready.data.fd == listener) {
      int client = accept(listener, NULL, NULL);
      if (client < 0 || count == MOST) continue;
      if (recv(client, events, sizeof events, 0) <= 0 || send(client, ANSWER, strlen(ANSWER), MSG_NOSIGNAL) < 0)
        close(client);
      else
        clients[count++] = client;
    } else {
      while (read(changes, events, sizeof events) > 0) {}
      for (ssize_t got; (got = pread(journal, text, PIECE / 2, place)) > 0;) {
        size_t whole = spread(text, got, frames);
        if (!whole) break;
        place += whole;
      }
    }
  }
}
