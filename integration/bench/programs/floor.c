/* Reads names of units, one a line, starts each and waits for the end of its job. For each it writes the time of its
 * call, in nanoseconds of the monotonic clock. Nobody can start a unit in less time. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

static char job[256], ended[256];

static int removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
	const char *path;
	uint32_t id;
	(void)userdata;
	(void)error;
	if (sd_bus_message_read(m, "uo", &id, &path) >= 0)
		snprintf(ended, sizeof ended, "%s", path);
	return 0;
}

int main(void) {
	char unit[256];
	sd_bus *bus;
	if (sd_bus_open_user(&bus) < 0)
		return 1;
	if (sd_bus_match_signal(bus, NULL, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
				"org.freedesktop.systemd1.Manager", "JobRemoved", removed, NULL) < 0)
		return 1;
	while (fgets(unit, sizeof unit, stdin)) {
		sd_bus_message *answer = NULL;
		const char *path;
		struct timespec t;
		unit[strcspn(unit, "\n")] = 0;
		job[0] = ended[0] = 0;
		clock_gettime(CLOCK_MONOTONIC, &t);
		if (sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
				       "org.freedesktop.systemd1.Manager", "StartUnit", NULL, &answer, "ss", unit,
				       "replace") < 0 ||
		    sd_bus_message_read(answer, "o", &path) < 0)
			return 1;
		snprintf(job, sizeof job, "%s", path);
		sd_bus_message_unref(answer);
		while (strcmp(job, ended) != 0) {
			int done = sd_bus_process(bus, NULL);
			if (done < 0 || (done == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
				return 1;
		}
		printf("%lld\n", (long long)t.tv_sec * 1000000000 + t.tv_nsec);
		fflush(stdout);
	}
	return 0;
}
