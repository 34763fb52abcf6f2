"""Files and directories: every read, write and temporary directory of the harness goes through here.

===================  =========================================================================
``user_files``       reads files that users name: regular files only, with a size limit for each kind
``own_directories``  makes and checks directories that belong to this user alone
``whole_file``       writes files completely or not at all
``json_file``        reads JSON back
``names``            makes file names of names that customers, or the wire, choose
===================  =========================================================================

`tests/unit/files/test_file_access.py` finds every other use of ``open`` and its like.
"""
