/* Stands in for a program of the user. It tells when it has started: its name, and nanoseconds of the monotonic clock.
 * usage: started NAME [stay] */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0bench/started"};
	char message[256];
	struct timespec t;
	int length, fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	clock_gettime(CLOCK_MONOTONIC, &t);
	if (argc < 2 || fd < 0)
		return 2;
	length = snprintf(message, sizeof message, "%s %lld", argv[1], (long long)t.tv_sec * 1000000000 + t.tv_nsec);
	if (sendto(fd, message, length, 0, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 14) < 0)
		return 1;
	if (argc > 2)
		pause();
	return 0;
}
