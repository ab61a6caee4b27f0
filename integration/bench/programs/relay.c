/* Stands between a client and both of its buses. It writes when a lid's signal goes in to the client and when a call
 * to start or stop a unit comes out of it: "in" or "out" and nanoseconds of the monotonic clock. Between the two there
 * is only the client, and the kernel, which wakes up the client and then this program.
 * usage: relay LISTEN BUS LISTEN BUS, names of sockets; those that it listens on are abstract */
#define _GNU_SOURCE
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS = 2, MOST = 64 };

static struct pollfd ends[MOST];
static int other[MOST]; /* the index of the end that what comes from one goes to */
static int isBus[MOST];
static int count;

static socklen_t name(struct sockaddr_un *address, const char *path, int abstract) {
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	strncpy(address->sun_path + abstract, path, sizeof address->sun_path - 2);
	return offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path) + !abstract;
}

static void add(int fd, int to, int bus) {
	ends[count] = (struct pollfd){.fd = fd, .events = POLLIN};
	other[count] = to;
	isBus[count++] = bus;
}

static int take(int listener, const char *bus) {
	struct sockaddr_un address;
	socklen_t length = name(&address, bus, 0);
	int client = accept(listener, NULL, NULL), server = socket(AF_UNIX, SOCK_STREAM, 0);
	if (client < 0 || server < 0 || count + 2 > MOST || connect(server, (struct sockaddr *)&address, length) < 0)
		return -1;
	add(client, count + 1, 0);
	add(server, count - 1, 1);
	return 0;
}

static int has(const char *data, size_t length, const char *word) { return memmem(data, length, word, strlen(word)) != NULL; }

static void pass(int i) {
	static char data[1 << 16];
	char control[CMSG_SPACE(253 * sizeof(int))];
	struct iovec vector = {data, sizeof data};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct timespec t;
	const char *what = NULL;
	ssize_t got = recvmsg(ends[i].fd, &message, 0);
	if (got <= 0) {
		shutdown(ends[other[i]].fd, SHUT_WR);
		ends[i].fd = -ends[i].fd; /* ignored from now on */
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &t);
	if (isBus[i] && has(data, got, "LidClosed"))
		what = "in";
	else if (!isBus[i] && (has(data, got, "StartUnit") || has(data, got, "StopUnit")))
		what = "out";
	vector.iov_len = got;
	if (message.msg_controllen == 0)
		message.msg_control = NULL;
	while (vector.iov_len > 0) {
		ssize_t sent = sendmsg(ends[other[i]].fd, &message, MSG_NOSIGNAL);
		if (sent < 0)
			return;
		vector.iov_base = (char *)vector.iov_base + sent;
		vector.iov_len -= sent;
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	if (what) {
		printf("%s %lld\n", what, (long long)t.tv_sec * 1000000000 + t.tv_nsec);
		fflush(stdout);
	}
}

int main(int argc, char **argv) {
	if (argc != 1 + 2 * LISTENERS)
		return 2;
	for (int i = 0; i < LISTENERS; i++) {
		struct sockaddr_un address;
		socklen_t length = name(&address, argv[1 + 2 * i], 1);
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 16) < 0)
			return 1;
		add(fd, -1, 0);
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		int have = count;
		if (poll(ends, count, -1) < 0)
			return 1;
		for (int i = 0; i < have; i++) {
			if (!ends[i].revents || ends[i].fd < 0)
				continue;
			if (i >= LISTENERS)
				pass(i);
			else if (take(ends[i].fd, argv[2 + 2 * i]) < 0)
				return 1;
		}
	}
}
