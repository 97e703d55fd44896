# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where the lab keeps what is dear to make (kernels, images), and the three
# verbs that its host-side scripts share. Source it.

lab_src=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "${LAB_CACHE-}" ]; then
	LAB_CACHE=${top_builddir:-$lab_src/build}/lab
fi
case $LAB_CACHE in
/*) ;;
*) LAB_CACHE=$PWD/$LAB_CACHE ;;
esac

say() { echo "lab: $*" >&2; }
die() { echo "lab: $*" >&2; exit 1; }

# depmod and mkfs.vfat are there, and not in the path of every user.
PATH=$PATH:/usr/sbin:/sbin

# download PACKAGE...: fetch .deb files into the current folder, quietly unless
# it fails. apt's lists may be older than what its servers still have.
download() {
	apt-get download -qq "$@" >apt.log 2>&1 || {
		say "refreshing apt's lists"
		refresh_lists && apt-get download -qq "$@" >apt.log 2>&1
	} || {
		cat apt.log >&2
		die "apt-get download failed: $*"
	}
	rm -f apt.log
}

refresh_lists() {
	if [ "$(id -u)" = 0 ]; then
		apt-get update -qq
	else
		sudo apt-get update -qq
	fi >apt.log 2>&1
}
