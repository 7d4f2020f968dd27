RUN SCRIPT '../../payments.sql';
