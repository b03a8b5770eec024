#include "common/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

static int read_address(const char *name, struct sockaddr_un *ret_address, socklen_t *ret_length)
{
	size_t length = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof(ret_address->sun_path))
		return -EINVAL;
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret_address->sun_path, name, length);
	if (name[0] == '@')
		ret_address->sun_path[0] = '\0'; /* unix(7): such a name has no end of its own */
	*ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '/'));
	return 0;
}

int notify_send(enum notify_state state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	if (!name || !*name)
		return 0;
	struct sockaddr_un address;
	socklen_t length;
	int result = read_address(name, &address, &length);
	if (result)
		return result;

	char line[64];
	switch (state) {
	case NOTIFY_READY:
		strcpy(line, "READY=1");
		break;
	case NOTIFY_RELOADING: /* with the time, by which the manager tells this reload from an earlier one */
		snprintf(line, sizeof(line), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_ns() / 1000);
		break;
	case NOTIFY_STOPPING:
		strcpy(line, "STOPPING=1");
		break;
	}

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, line, strlen(line), MSG_NOSIGNAL, (struct sockaddr *)&address, length) < 0)
		result = -errno;
	close(fd);
	return result;
}
