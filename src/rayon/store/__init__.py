"""What Rayon remembers: tables, migrations, and one repository a subject. The only place with SQL."""
