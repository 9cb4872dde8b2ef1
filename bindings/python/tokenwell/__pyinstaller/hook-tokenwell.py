"""The hook of PyInstaller for tokenwell. The library is loaded by its path, so PyInstaller does not find it by itself."""

import glob
import os

from PyInstaller.utils.hooks import get_package_paths, logger

_libraries = glob.glob(os.path.join(glob.escape(get_package_paths("tokenwell")[1]), "_lib", "*tokenwell*"))
if not _libraries:
    logger.warning("tokenwell: the package contains no library; the program will need TOKENWELL_LIBRARY or an installed library")

binaries = [(path, os.path.join("tokenwell", "_lib")) for path in _libraries]
