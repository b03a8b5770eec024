/* forecast/train_command.h without memory: it is a program of its own, and begins anew each time */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "forecast/train_command.h"

/* It never passes its limit, so that nothing can be learnt from it, whatever there is. */
static void test_train_main_each_failing_allocation_is_said_and_writes_nothing(void **state)
{
	(void)state;
	char folder[TEMPORARY_FOLDER_SIZE], trace[TEMPORARY_FOLDER_SIZE + 16], model[TEMPORARY_FOLDER_SIZE + 16];
	temporary_folder_make(folder);
	snprintf(trace, sizeof(trace), "%s/flat.csv", folder);
	snprintf(model, sizeof(model), "%s/model", folder);
	temporary_file_write(trace, "0,5\n300,5\n900,5\n");
	bool failed = true;
	for (long number = 1; failed; number++) {
		char name[] = "train", traces_option[] = "--traces", output_option[] = "--output";
		char *argv[] = { name, traces_option, folder, output_option, model, NULL };
		captured_stderr_begin();
		optind = 0;
		failing_start(number);
		int status = train_main(5, argv);
		failed = failing_stop();
		assert_int_equal(status, EXIT_FAILURE);
		assert_int_equal(access(model, F_OK), -1);
		assert_true(captured_stderr_end() > 0);
		if (!failed)
			assert_int_equal(captured_stderr_count("cannot learn from 3 steps of 1 series: none of them passes its limit"), 1);
	}
	temporary_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_train_main_each_failing_allocation_is_said_and_writes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
