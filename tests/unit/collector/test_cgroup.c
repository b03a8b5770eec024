#include "tests/unit/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "collector/cgroup.h"

#define ID "3f2a61d09c4e7788990011223344556677889900aabbccddeeff001122334455"
#define OTHER_ID "b0b1b2b3b4b5b6b7b8b9c0c1c2c3c4c5c6c7c8c9d0d1d2d3d4d5d6d7d8d9e0e1"
#define PODS "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a2b.slice/"
#define USER "/user.slice/user-1000.slice/user@1000.service/"

static void test_cgroup_name_of_each_kind_is_as_documented(void **state)
{
	(void)state;
	static const struct {
		const char *path, *expected; /* "": none */
	} cases[] = {
		{ "/", "" },
		{ "", "" },
		{ "/system.slice", "" },
		{ "/system.slice/tomcat@shop.service", "tomcat@shop.service" },
		{ "/system.slice/system-tomcat.slice/tomcat@shop.service", "tomcat@shop.service" },
		{ "/system.slice/tomcat@shop.service (deleted)", "tomcat@shop.service" },
		{ "/system.slice/tomcat@shop.service/workers/3", "tomcat@shop.service" },
		{ "/system.slice/system-getty.slice/getty@tty\\x2d1.service", "getty@tty\\x2d1.service" },
		{ "/system.slice/_cpu.service", "cpu.service" },
		{ "/system.slice/__a.service", "_a.service" },
		{ "/system.slice/.service", "" },
		{ "/system.slice/mnt-data.mount", "mnt-data.mount" },
		{ "/system.slice/a.socket", "a.socket" },
		{ "/../../system.slice/cron.service", "cron.service" },
		{ "/init.scope", "" },

		/* of users */
		{ "/user.slice/user-1000.slice/session-3.scope", "" },
		{ USER "init.scope", "" },
		{ USER "app.slice/app-foo.service", "app-foo.service" },
		{ USER "session.slice/org.gnome.Shell@wayland.service", "org.gnome.Shell@wayland.service" },
		{ USER "app.slice/app-gnome-firefox-4242.scope", "" },
		{ USER "tmux-spawn-1a2b3c.scope", "" },
		{ USER "user.slice/libpod-" ID ".scope/container", "libpod-3f2a61d09c4e" },

		/* containers */
		{ "/system.slice/docker-" ID ".scope", "docker-3f2a61d09c4e" },
		{ "/docker/" ID, "docker-3f2a61d09c4e" },
		{ "/docker/" ID "/docker/" OTHER_ID, "docker-b0b1b2b3b4b5" },
		{ "/machine.slice/libpod-" ID ".scope", "libpod-3f2a61d09c4e" },
		{ "/machine.slice/libpod-conmon-" ID ".scope", "" },
		{ "/libpod_parent/libpod-" ID, "libpod-3f2a61d09c4e" },
		{ "/system.slice/shop.service/libpod-payload-" ID, "shop.service" },
		{ "/system.slice/shop.service/supervisor", "shop.service" },
		{ PODS "cri-containerd-" ID ".scope", "cri-containerd-3f2a61d09c4e" },
		{ PODS "crio-" ID ".scope", "crio-3f2a61d09c4e" },
		{ PODS "crio-conmon-" ID ".scope", "" },
		{ PODS "docker-" ID ".scope", "docker-3f2a61d09c4e" },
		{ "/kubepods/burstable/pod1a2b/" ID, "kubepods-3f2a61d09c4e" },
		{ "/kubepods.slice/pod1a2b/" ID, "kubepods-3f2a61d09c4e" },
		{ "/kubepods/besteffort/pod1a2b/crio-" ID, "crio-3f2a61d09c4e" },
		{ "/system.slice/containerd.service/kubepods-burstable-pod1a2b.slice:cri-containerd:" ID,
		  "cri-containerd-3f2a61d09c4e" },
		{ "/docker/" ID "/kubelet.slice/kubelet-kubepods.slice/cri-containerd-" OTHER_ID ".scope",
		  "cri-containerd-b0b1b2b3b4b5" },
		{ "/" ID, "container-3f2a61d09c4e" },
		{ "/../" ID, "container-3f2a61d09c4e" },
		{ "/machine.slice/machine-qemu\\x2d1\\x2ddb.scope/libvirt/emulator", "machine-qemu\\x2d1\\x2ddb" },
		{ "/lxc.payload.web1", "lxc-web1" },
		{ "/lxc.payload/web1/init.scope", "lxc-web1" },
		{ "/lxc/101/ns", "lxc-101" },
		{ "/lxc.monitor.web1", "" },
		{ "/lxc", "" },

		/* units within them */
		{ "/lxc.payload.web1/system.slice/nginx.service", "lxc-web1/nginx.service" },
		{ "/system.slice/docker-" ID ".scope/system.slice/nginx.service", "docker-3f2a61d09c4e/nginx.service" },
		{ "/machine.slice/machine-web1.scope/system.slice/nginx.service", "machine-web1/nginx.service" },
		{ "/machine.slice/systemd-nspawn@web1.service/payload/system.slice/nginx.service",
		  "systemd-nspawn@web1.service/nginx.service" },
		{ "/machine.slice/systemd-nspawn@web1.service/payload/init.scope", "systemd-nspawn@web1.service" },
		{ "/payload/x", "" },

		/* what only looks like one */
		{ "/process_api/b8ca44c67a47d39678179708d3780c89", "" },
		{ "/docker/3f2a61d09c4e", "" },
		{ "/x/a" ID, "" },
		{ "/x/-" ID, "3f2a61d09c4e" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char content[512], name[CGROUP_NAME_SIZE] = "";
		snprintf(content, sizeof(content), "0::%s\n", cases[i].path);
		bool found = cgroup_name(content, name);
		if (found != (cases[i].expected[0] != '\0') || strcmp(name, cases[i].expected) != 0)
			fail_msg("%s: '%s' for '%s'", cases[i].path, name, cases[i].expected);
	}
}

static void test_cgroup_name_of_several_hierarchies_is_of_the_first_that_has_one(void **state)
{
	(void)state;
	static const struct {
		const char *content, *expected;
	} cases[] = {
		{ "", "" },
		{ "nonsense\n:\n", "" },
		{ "4:memory:/a.service\n1:name=systemd:/b.service\n0::/c.service\n", "b.service" },
		{ "4:memory:/a.service\n1:name=systemd:/\n0::/c.service\n", "c.service" },
		{ "9:name=systemd:/\n4:memory:/docker/" ID "\n0::/\n", "docker-3f2a61d09c4e" },
		{ "5:cpu,cpuacct:/a.service\n4:memory:/b.service\n", "a.service" },
		{ "0::/a:b.service", "a:b.service" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[CGROUP_NAME_SIZE] = "";
		(void)cgroup_name(cases[i].content, name);
		assert_string_equal(name, cases[i].expected);
	}
}

static void test_cgroup_name_longest_parts_fit(void **state)
{
	(void)state;
	char content[1024], part[256], name[CGROUP_NAME_SIZE], expected[CGROUP_NAME_SIZE];
	memset(part, 'a', 255);
	part[255] = '\0';
	snprintf(content, sizeof(content), "0::/lxc/%s/%.247s.service\n", part, part);
	snprintf(expected, sizeof(expected), "lxc-%s/%.247s.service", part, part);
	assert_true(cgroup_name(content, name));
	assert_string_equal(name, expected);
}

static void test_cgroup_memory_path_is_of_the_hierarchy_that_has_the_controller(void **state)
{
	(void)state;
	static const struct {
		const char *content, *expected;
		enum cgroup_version version;
	} cases[] = {
		{ "9:name=systemd:/s\n4:memory:/m\n0::/\n", "/m", CGROUP_V1 },
		{ "0::/a\n4:hugetlb,memory:/m (deleted)\n", "/m", CGROUP_V1 },
		{ "9:name=systemd:/s\n4:memoryless:/m\n0::/a b:c\n", "/a b:c", CGROUP_V2 },
		{ "9:name=systemd:/s\n", NULL, CGROUP_V2 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum cgroup_version version = CGROUP_V2;
		size_t length;
		const char *path = cgroup_memory_path(cases[i].content, &version, &length);
		assert_int_equal(path != NULL, cases[i].expected != NULL);
		assert_int_equal(version, cases[i].version);
		if (path) {
			assert_int_equal(length, strlen(cases[i].expected));
			assert_memory_equal(path, cases[i].expected, length);
		}
	}
}

static void test_cgroup_parse_mount_takes_what_limits_memory(void **state)
{
	(void)state;
	static const struct {
		const char *line, *root, *point; /* NULL: it is none */
		enum cgroup_version version;
	} cases[] = {
		{ "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n", "/", "/sys/fs/cgroup/memory",
		  CGROUP_V1 },
		{ "35 31 0:32 /docker/a /m rw,relatime shared:9 master:2 - cgroup cgroup rw,cpu,memory", "/docker/a", "/m",
		  CGROUP_V1 },
		{ "35 31 0:32 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n", NULL, NULL, CGROUP_V1 },
		{ "30 23 0:26 /../.. /a\\040b\\134c rw - cgroup2 cgroup2 rw,nsdelegate\n", "/../..", "/a b\\c", CGROUP_V2 },
		{ "31 23 0:28 / /cgroup rw - tmpfs memory rw,memory\n", NULL, NULL, CGROUP_V1 },
		{ "\n", NULL, NULL, CGROUP_V1 },
		{ "1 2 3 4 - cgroup2\n", NULL, NULL, CGROUP_V1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cgroup_mount mount = { 0 };
		assert_int_equal(cgroup_parse_mount(cases[i].line, &mount), cases[i].root != NULL);
		if (cases[i].root) {
			assert_string_equal(mount.root, cases[i].root);
			assert_string_equal(mount.point, cases[i].point);
			assert_int_equal(mount.version, cases[i].version);
		}
		cgroup_free_mount(&mount);
	}
}

static void test_cgroup_find_folder_never_leaves_the_mount(void **state)
{
	(void)state;
	static const struct {
		const char *root, *path, *expected; /* NULL: it is not shown */
	} cases[] = {
		{ "/", "/", "/sys/fs/cgroup" },
		{ "/", "/a/b", "/sys/fs/cgroup/a/b" },
		{ "/", "/a/b/", "/sys/fs/cgroup/a/b" },
		{ "/", "/..a/b..", "/sys/fs/cgroup/..a/b.." },
		{ "/", "/../a", NULL },
		{ "/", "/a/../../b", NULL },
		{ "/docker/x", "/docker/x", "/sys/fs/cgroup" },
		{ "/docker/x", "/docker/x/y", "/sys/fs/cgroup/y" },
		{ "/docker/x", "/docker/xy", NULL },
		{ "/docker/x", "/docker", NULL },
		{ "/..", "/../a", "/sys/fs/cgroup/a" },
		{ "/..", "/../../a", NULL },
		{ "/..", "/", NULL },
		{ "/../..", "/../../system.slice/a.service", "/sys/fs/cgroup/system.slice/a.service" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char root[32], point[] = "/sys/fs/cgroup";
		struct text folder = TEXT_EMPTY;
		snprintf(root, sizeof(root), "%s", cases[i].root);
		const struct cgroup_mount mount = { CGROUP_V2, root, point };
		bool found = cgroup_find_folder(&mount, cases[i].path, strlen(cases[i].path), &folder);
		if (found != (cases[i].expected != NULL) || (found && strcmp(folder.data, cases[i].expected) != 0))
			fail_msg("%s at %s: %s", cases[i].path, root, found ? folder.data : "none");
		text_free(&folder);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cgroup_name_of_each_kind_is_as_documented),
		cmocka_unit_test(test_cgroup_name_of_several_hierarchies_is_of_the_first_that_has_one),
		cmocka_unit_test(test_cgroup_name_longest_parts_fit),
		cmocka_unit_test(test_cgroup_memory_path_is_of_the_hierarchy_that_has_the_controller),
		cmocka_unit_test(test_cgroup_parse_mount_takes_what_limits_memory),
		cmocka_unit_test(test_cgroup_find_folder_never_leaves_the_mount),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
