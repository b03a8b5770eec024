/*
 * hello BYTES: the plainest FastCGI program, for comparison: 16 threads that answer
 * every request on descriptor 0 with so many bytes.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <fcgiapp.h>

enum { THREADS = 16 };

static char *body;

static void *answer(void *user)
{
	FCGX_Request request;
	(void)user;
	FCGX_InitRequest(&request, 0, 0);
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_PutS("Content-Type: application/json\r\n\r\n", request.out);
		FCGX_PutS(body, request.out);
		FCGX_Finish_r(&request);
	}
	return NULL;
}

int main(int argc, char *argv[])
{
	size_t size = argc == 2 ? (size_t)strtoul(argv[1], NULL, 10) : 0;
	pthread_t threads[THREADS];
	body = malloc(size + 1);
	if (!body || FCGX_Init() != 0)
		return EXIT_FAILURE;
	signal(SIGTERM, SIG_DFL); /* FCGX_Init() has a handler of its own */
	memset(body, 'x', size);
	body[size] = '\0';
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, answer, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return EXIT_SUCCESS;
}
