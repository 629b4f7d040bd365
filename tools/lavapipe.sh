#!/usr/bin/env bash
# Brings Mesa 25's software Vulkan driver (lavapipe: half precision, three subgroup sizes) into
# .lavapipe/, where the tests look for it. Installs nothing: the driver is taken out of the package
# of Debian 12's backports. The libraries it links to come with
#   apt-get install mesa-vulkan-drivers libvulkan1
# Debian 12's own Mesa 22 is no substitute: Dawn refuses it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${1:-$root/.lavapipe}
suite=bookworm-backports
package=mesa-vulkan-drivers
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
  echo "lavapipe: $1" >&2
  exit 1
}

command -v apt-get >/dev/null || fail 'needs apt-get (Debian or a derivative of it)'
[ -f "$keyring" ] || fail "needs Debian's archive key at $keyring"

# The mirror that this machine is set up with; security updates come from another archive.
mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
  awk '/^(deb|URIs:)/ && !/security/ { for (i = 2; i <= NF; i++) if ($i ~ /^https?:.*debian\/?$/) { print $i; exit } }')
[ -n "$mirror" ] || fail 'found no Debian mirror in /etc/apt'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/files"
echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"

# A set of package lists of its own, so that the system's stay as they are.
apt() {
  apt-get -qq \
    -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache::Archives="$work/archives" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update
(cd "$work" && apt download "$package/$suite")
dpkg-deb --extract "$work"/"$package"_*.deb "$work/files"

library=$(find "$work/files/usr/lib" -name libvulkan_lvp.so)
[ -n "$library" ] || fail "$package of $suite holds no libvulkan_lvp.so"
if missing=$(ldd "$library" | grep 'not found'); then
  fail "run apt-get install mesa-vulkan-drivers libvulkan1; missing: $(echo $missing)"
fi

mkdir -p "$target"
target=$(cd "$target" && pwd)
install -m 755 "$library" "$target/libvulkan_lvp.so"
# Last, because its presence is what the tests look for.
cat >"$target/lvp_icd.json" <<JSON
{
  "file_format_version": "1.0.0",
  "ICD": { "library_path": "$target/libvulkan_lvp.so", "api_version": "1.4.0" }
}
JSON
echo "$target/lvp_icd.json"
